# A here-document without an end takes the rest of the file.
FROM scratch
COPY <<EOF /a
text
 EOF
RUN true
