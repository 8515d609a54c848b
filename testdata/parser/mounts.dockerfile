FROM alpine
RUN --mount=type=cache,target=/root/.cache,sharing=locked,mode=0700,uid=1000 --mount=target=.,rw make
RUN --mount=type=secret,id=token,env=TOKEN,required --mount=type=ssh --network=none --security=insecure make
RUN --mount=type=tmpfs,dst=/tmp,size=64m --mount=type=$kind,target=$where --device=vendor.com/gpu=all,required make
RUN --mount=type=cahce,target=/x make
RUN --mount=tagret=/x make
RUN --mount=from=a$b,target=/x make
RUN --mount=type=bind,target=/x,mode=0700 make
RUN --mount=size=1,type=tmpfs,target=/x make
RUN --mount=type=secret make
RUN --mount=type=cache,target=/x,sharing=sharde make
RUN --network=wifi --security=lax make
