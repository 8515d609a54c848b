# options: --target=bulid
FROM scratch AS build
FROM scratch
