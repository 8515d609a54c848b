# options: --build-context=files=dir --empty-context
FROM files
COPY a /b
