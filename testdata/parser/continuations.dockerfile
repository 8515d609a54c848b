FROM alpine
  RUN one \
    two \
# a comment inside

    # another one \
  three\\
run four\   
  five
ENV A=1 \

 B="x \
  y"
