# What is a JSON array of strings, and what is left to the shell.
FROM scratch
RUN [ "blanks" , "between" ]
RUN ["escapes", "\"\\\/\b\f\n\r\t", "\u00fc\ud83d\ude00"]
RUN []
RUN ["trailing",]
RUN ["no" "comma"]
RUN ["more"] && echo
RUN [ -f file ] && echo '["a"]'
VOLUME ["/a", "/b c"]
COPY ["/a b", "/c/"]
CMD ["null", null]
