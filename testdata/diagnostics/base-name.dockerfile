# Names of images are in lower case.
FROM Registry/Team/App
