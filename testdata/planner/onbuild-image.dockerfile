# Triggers of an image run right after FROM, once.
FROM triggers AS base
RUN own
FROM base
RUN child
