# comd with what a role needs: docker build --build-arg EXTRAS=train,dashboard -t comd .
# Migrations, driver, dashboard and workers that only reach servers need no torch: EXTRAS=dashboard.
FROM python:3.12-slim AS wheel
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
ARG EXTRAS=dashboard
# Triton, which torch compiles kernels with on a GPU, needs a C compiler and libc's headers.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 comd \
    && install -d -o comd /data /data/images /data/artifacts /models
COPY --from=wheel /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[${EXTRAS}]" "flower>=2.0,<3"
USER comd
ENV COMD_HOME=/data/home COMD_IMAGES=/data/images COMD_ARTIFACTS=/data/artifacts
ENTRYPOINT ["comd"]
CMD ["--help"]
