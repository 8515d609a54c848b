# Devices are asked for by name; the machine knows what they are, and the build whether they are allowed.
FROM busybox
RUN --device=vendor.com/gpu=all,required true
RUN --device=name=vendor.com/gpu,required=false --device=radio true
