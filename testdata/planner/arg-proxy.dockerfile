# options: --build-arg=HTTP_PROXY=http://proxy --build-arg=no_proxy=local
# Proxies are no variables of a step and not in the history, unless they are declared.
FROM scratch
RUN ["undeclared"]
ARG HTTP_PROXY
RUN ["declared"]
