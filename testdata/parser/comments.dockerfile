# about nothing

# platform the image to start from
ARG platform=linux/amd64

# dropped by the empty comment
#
# build what is built here
# check=skip=FromAsCasing

FROM --platform=$platform alpine as build
RUN echo # not a comment
# below everything
