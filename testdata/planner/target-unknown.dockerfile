# options: --target=bild
FROM scratch AS build
