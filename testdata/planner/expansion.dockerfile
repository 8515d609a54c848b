# Every form of a substitution; one instruction sees the values from before it.
FROM scratch
ENV set=value empty= path=/usr/local/lib/a.tar.gz
ENV plain=$set braced=${set} joined=${set}s unset=$nothing dollar=\$set single='$set' double="$set and"
ENV default=${nothing:-other} default_empty=${empty:-other} default_unset=${empty-other}
ENV instead=${set:+yes} instead_empty=${empty:+yes} instead_set=${empty+yes}
ENV required=${set:?never} required_set=${empty?never}
ENV start=${path#*/} longest_start=${path##*/} end=${path%.*} longest_end=${path%%.*}
ENV first=${path/l?/X} all=${path//l?/X} escaped=${path//\//_} nested=${nothing:-${set%e}}
ENV set=new before=$set
