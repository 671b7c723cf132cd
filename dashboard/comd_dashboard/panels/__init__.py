"""The parts of pages: each reads its reports and shows them, or says what would fill it."""
