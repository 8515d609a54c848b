FROM scratch
STOPSIGNAL SIGNOPE
EXPOSE 80/icmp
EXPOSE eighty
VOLUME ["${NOTHING}"]
ENV A="${B?is needed}"
USER ${A
WORKDIR ${x:?}
