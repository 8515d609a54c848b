//! Did-you-mean: the nearest of the names that would have been right.

/// From this many changed characters on, a name is no longer taken for a misspelling.
const TOO_FAR: usize = 3;

/// The option that needs the fewest changes (fewer than three) to become `name`; of equally near ones the
/// first. Casing does not count, except that the answer is in the casing of `name` where that has one. An
/// option that differs by nothing but casing is told as it is.
pub fn nearest<'a>(name: &str, options: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let folded = name.to_lowercase();
    let length = folded.chars().count();
    let mut best: Option<(usize, &str)> = None;
    for option in options {
        if option == name {
            return None;
        }
        if option.chars().count().abs_diff(length) >= TOO_FAR {
            continue;
        }
        let distance = strsim::levenshtein(&folded, &option.to_lowercase());
        if distance < best.map_or(TOO_FAR, |(distance, _)| distance) {
            best = Some((distance, option));
        }
    }
    let (distance, option) = best?;
    Some(match name {
        _ if distance == 0 => option.to_owned(),
        _ if name == folded => option.to_lowercase(),
        _ if name == name.to_uppercase() => option.to_uppercase(),
        _ => option.to_owned(),
    })
}

/// The hint for `name`, if one of `options` is near it.
pub fn did_you_mean<'a>(name: &str, options: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, options).map(|option| format!("did you mean {option}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_option_in_the_casing_of_the_name() {
        let options = ["RUN", "COPY", "LABEL", "ENV"];
        assert_eq!(nearest("CPOY", options).as_deref(), Some("COPY"));
        assert_eq!(nearest("labell", options).as_deref(), Some("label"));
        assert_eq!(nearest("Runn", options).as_deref(), Some("RUN"));
        assert_eq!(nearest("FROBNICATE", options), None);
        assert_eq!(nearest("COPY", options), None);
        assert_eq!(nearest("FROM", ["from", "chown"]).as_deref(), Some("from"));
        assert_eq!(nearest("", options), None);
    }
}
