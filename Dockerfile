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

# Debian's nginx on the same base: nothing more to fetch from a registry.
FROM ${PYTHON_IMAGE} AS proxy
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light openssl curl \
 && rm -rf /var/lib/apt/lists/* \
 && install --directory --owner=10001 --group=10001 --mode=0700 /handed
COPY deploy/proxy /etc/remit
USER 10001:10001
CMD ["/etc/remit/start.sh"]

FROM base AS service
USER remit
CMD ["remit", "--help"]
