//! Reads `WWW-Authenticate`: what a registry asks for before it lets a request in.
//!
//! A header may have several challenges, and there may be several headers (RFC 9110, section
//! 11.6.1). Values are tokens or quoted strings, and a comma separates parameters as well as
//! challenges: a new challenge is a word that is followed by a space instead of `=`.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// One challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password, in every request.
    Basic,
    /// A token of a token server.
    Bearer {
        /// The address of the token server.
        realm: String,
        /// Who the token is for.
        service: Option<String>,
        /// What the request would have needed.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The best of all challenges in these headers: a token rather than a password.
    pub(crate) fn best(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let mut challenges: Vec<Self> = values.flat_map(parse).collect();
        let bearer = challenges.iter().position(|challenge| matches!(challenge, Self::Bearer { .. }));
        (!challenges.is_empty()).then(|| challenges.swap_remove(bearer.unwrap_or(0)))
    }
}

/// All challenges of one header that have a scheme we know.
fn parse(header: &str) -> Vec<Challenge> {
    let mut raw: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', '=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() && after.is_empty() {
            break;
        }
        let value = after.trim_start();
        if let (Some(value), Some((_, parameters))) = (value.strip_prefix('='), raw.last_mut()) {
            let (value, after) = read_value(value.trim_start());
            parameters.push((word.to_ascii_lowercase(), value));
            rest = after;
        } else {
            raw.push((word.to_ascii_lowercase(), Vec::new()));
            rest = after.strip_prefix('=').unwrap_or(after);
        }
    }
    raw.into_iter().filter_map(|(scheme, parameters)| known(&scheme, &parameters)).collect()
}

fn known(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let parameter =
        |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_owned());
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer {
            realm: parameter("realm")?,
            service: parameter("service"),
            scope: parameter("scope").filter(|scope| !scope.is_empty()),
        }),
        _ => None,
    }
}

/// A token or a quoted string, and what follows it.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer {
            realm: realm.into(),
            service: service.map(Into::into),
            scope: scope.map(Into::into),
        }
    }

    #[test]
    fn quoted_strings_may_have_commas_and_escapes() {
        assert_eq!(
            parse(r#"Bearer realm="https://a/token",service="s \"x\"",scope="repository:a:pull,push""#),
            [bearer("https://a/token", Some(r#"s "x""#), Some("repository:a:pull,push"))]
        );
    }

    #[test]
    fn one_header_may_have_several_challenges() {
        assert_eq!(
            parse(r#"Negotiate, Basic realm="Registry, private" , bearer Realm=https://a/t, service = s"#),
            [Challenge::Basic, bearer("https://a/t", Some("s"), None)]
        );
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for header in ["", ",", "=", "realm=x", "Bearer", "Bearer realm", "Digest realm=\"", "Bearer =\"x\""]
        {
            assert_eq!(parse(header), [], "{header}");
        }
        assert_eq!(parse("Bearer realm=\"open"), [bearer("open", None, None)]);
    }

    #[test]
    fn a_token_is_better_than_a_password() {
        let mut headers = HeaderMap::new();
        assert_eq!(Challenge::best(&headers), None);
        headers.append(WWW_AUTHENTICATE, "Basic realm=x".parse().unwrap());
        assert_eq!(Challenge::best(&headers), Some(Challenge::Basic));
        headers.append(WWW_AUTHENTICATE, "Bearer realm=y".parse().unwrap());
        assert_eq!(Challenge::best(&headers), Some(bearer("y", None, None)));
    }
}
