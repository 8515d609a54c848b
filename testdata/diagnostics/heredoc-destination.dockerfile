# A here-document is a source.
FROM scratch
COPY a <<EOT
text
EOT
