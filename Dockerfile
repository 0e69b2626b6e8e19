# LightMedSeg on processors, as a BIDS App:
#
#   docker build -t lightmedseg .
#   docker run --rm --network none -v BIDS:/data:ro -v RESULTS:/out lightmedseg /data /out participant --model MODEL
#
# The network is needed to build it, never to run it. Testing/Tools/run_dockerfile_steps.py runs these steps as a script.

FROM python:3.12-slim AS build
# The usual PyTorch brings 4 GB for CUDA devices.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY . /source
RUN python3 -m venv /opt/lightmedseg
RUN /opt/lightmedseg/bin/python -m pip install --no-cache-dir --index-url "$TORCH_INDEX" torch
RUN /opt/lightmedseg/bin/python -m pip install --no-cache-dir "/source[bids]"
RUN /opt/lightmedseg/bin/lightmedseg models verify

FROM python:3.12-slim
COPY --from=build /opt/lightmedseg /opt/lightmedseg
# Nothing of the user is kept in the container; models of one's own are mounted here.
ENV LIGHTMEDSEG_HOME=/tmp/lightmedseg
# Nobody's account: another user's, given with --user, works as well.
USER 65534:65534
ENTRYPOINT ["/opt/lightmedseg/bin/lightmedseg", "bids"]
