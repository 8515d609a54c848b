# A device cannot be given to a step.
FROM scratch
RUN --device=vendor.com/gpu=all,required ["true"]
