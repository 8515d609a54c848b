# options: --build-arg=BUILDKIT_CACHE_MOUNT_NS=team
FROM busybox AS tools
RUN install
FROM busybox
WORKDIR /w
RUN --mount=target=/src --mount=from=tools,source=/bin/*,target=tools,rw --mount=from=alpine,target=/alpine true
RUN --mount=type=cache,target=/root/.cache --mount=type=cache,id=shared,target=c,sharing=locked,uid=1000,mode=0700,from=tools,source=/seed true
RUN --mount=type=tmpfs,target=/tmp,size=1m --mount=type=secret,id=token --mount=type=secret,id=key,env=KEY,required true
RUN --mount=type=ssh --mount=type=ssh,id=other,target=/agent echo $SSH_AUTH_SOCK $KEY
ARG TYPE=secret ID=x
RUN --mount=type=$TYPE,id=$ID,target=/x true
