# One image for every service: `remit <service> web|worker|migrate`. It builds with and without BuildKit.
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE} AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    PATH=/app/deploy/bin:/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN groupadd --gid 10001 remit \
 && useradd --uid 10001 --gid remit --no-create-home --home-dir /app --shell /usr/sbin/nologin remit \
 && install --directory --owner=remit --group=remit --mode=0700 /data \
 && install --directory --owner=remit --group=remit --mode=0755 /clock \
 && python -m venv /opt/venv
WORKDIR /app
COPY requirements/run.lock requirements/run.lock
RUN pip install --require-hashes --no-deps -r requirements/run.lock
# Editable: a service finds its migrations beside its package. A new folder in services/ needs no line here.
COPY libs libs
COPY services services
RUN for part in libs/* services/*; do set -- "$@" -e "./$part"; done \
 && pip install --no-deps --no-build-isolation "$@" \
 && python -m compileall -q libs services
COPY deploy deploy

FROM base AS sandbox
COPY sandbox sandbox
RUN pip install --no-deps --no-build-isolation -e ./sandbox && python -m compileall -q sandbox
USER remit
CMD ["python", "-m", "sandbox"]

FROM base AS service
USER remit
CMD ["remit", "--help"]
