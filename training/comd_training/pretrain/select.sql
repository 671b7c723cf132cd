-- The concept-balanced selection (section 3.2), whole: which pairs stay, and what brought each in.
-- A phrase of fewer than $minimum pairs is left out. One of at most $cap brings all of its pairs;
-- a more frequent one a random $cap of all its pairs, drawn by a hash of seed, phrase and pair, so
-- that neither threads nor the order of the input decide. A pair is named with the rarest phrase that
-- brought it, and the rarest come first.
WITH phrase AS (
  SELECT phrase, count(*) AS frequency
  FROM occurrence
  GROUP BY phrase
  HAVING count(*) >= $minimum
),
brought AS (
  SELECT pair, phrase, frequency
  FROM occurrence JOIN phrase USING (phrase)
  WHERE frequency <= $cap
  UNION ALL
  SELECT pair, phrase, frequency
  FROM occurrence JOIN phrase USING (phrase)
  WHERE frequency > $cap
  QUALIFY row_number() OVER (
    PARTITION BY phrase
    ORDER BY md5_number_lower(concat_ws('|', $seed, pair, phrase)), pair
  ) <= $cap
)
SELECT
  pair,
  arg_min(phrase, (frequency, phrase)) AS phrase,
  min(frequency) AS frequency
FROM brought
GROUP BY pair
