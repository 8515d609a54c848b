FROM alpine
RUN --mount=type=cache,target=/root/.cache,sharing=locked,mode=0700,uid=1000 --mount=target=.,rw make
RUN --mount=type=secret,id=token,env=TOKEN,required --mount=type=ssh --network=none --security=insecure make
RUN --mount=type=tmpfs,dst=/tmp,size=64m --mount=type=$kind,target=$where --device=vendor.com/gpu=all,required make
RUN --mount=from=a$b,target=/x make
RUN --network=wifi --security=lax make
