# docker build --tag xcebra-nwb .       without a card; for cards: --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128
# docker run --rm --user "$(id -u):$(id -g)" --volume "$PWD:$PWD" --workdir "$PWD" xcebra-nwb run recordings -o out
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS installed
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY . /source
RUN sh /source/containers/install.sh /source "${TORCH_INDEX}"

FROM ${PYTHON}
COPY --from=installed /opt/xcebra-nwb /opt/xcebra-nwb
# Any user may run it: what it keeps beside the results is not in the home of root.
ENV PATH=/opt/xcebra-nwb/bin:$PATH HOME=/tmp
USER 1000:1000
ENTRYPOINT ["xcebra-nwb"]
