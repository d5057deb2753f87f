# One image for the web process and the scheduler:
# docker build --build-arg PYTORCH_CPU_INDEX=… .
#   docker run IMAGE                             the dashboard and the REST API, on port 8080
# docker build --build-arg PYTORCH_CPU_INDEX=… .
#   docker run IMAGE python -m core scheduler    the scheduler
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
COPY requirements.lock .
# The usual index has the CUDA build, with gigabytes of GPU libraries. The address of the index of
# CPU builds is on PyTorch's install page (pip, Linux, CPU).
ARG PYTORCH_CPU_INDEX
RUN pip install --no-cache-dir --index-url "${PYTORCH_CPU_INDEX:?is needed, see the README}" \
    "$(grep '^torch==' requirements.lock)"
RUN pip install --no-cache-dir -r requirements.lock

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 desk && install -d -o desk /data
COPY --from=build /venv /venv
WORKDIR /app
COPY .streamlit .streamlit
COPY pages pages
COPY core core
COPY app.py .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 DATA_DIR=/data PORT=8080
USER 10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-m", "core", "health"]
CMD ["python", "-m", "core", "web"]
