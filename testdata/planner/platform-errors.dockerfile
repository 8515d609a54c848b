FROM --platform=$BUILDPLATFROM scratch AS one
FROM --platform=a/b/c/d scratch AS two
FROM scratch AS three
