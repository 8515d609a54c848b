# options: --platform=linux/amd64
FROM arm-only
RUN x
