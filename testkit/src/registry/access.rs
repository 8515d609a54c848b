//! Who is let in, and the token server.

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Shared;

/// Whom a registry lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// This user, with the password in each request.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: String,
    },
    /// Who has a token. The token server is at `/token`, and gives one to this user: for the
    /// password by `GET`, or for the password as an identity token by `POST`. Without a user,
    /// everybody gets one. A token is good for the scopes that it was asked for.
    Bearer {
        /// The user name and the password.
        user: Option<(String, String)>,
    },
}

/// The header of a user with a password, for comparison.
fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
}

/// What a request needs the right for: `repository:app:pull`.
pub(super) fn refusal(shared: &Shared, headers: &HeaderMap, scope: &str) -> Option<Response<Body>> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let challenge = match &shared.access {
        Access::Open => return None,
        Access::Basic { username, password } if given == basic(username, password) => return None,
        Access::Basic { .. } => "Basic realm=\"the registry, in tests\"".to_owned(),
        Access::Bearer { .. } if given.strip_prefix("Bearer ").is_some_and(|token| covers(token, scope)) => {
            return None;
        }
        Access::Bearer { .. } => {
            format!("Bearer realm=\"http://{}/token\",service=\"testkit\",scope=\"{scope}\"", shared.address)
        }
    };
    let body = json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]});
    let response =
        Response::builder().status(StatusCode::UNAUTHORIZED).header(header::WWW_AUTHENTICATE, challenge);
    Some(response.body(Body::from(body.to_string())).expect("a response"))
}

/// Whether a token, which is the list of its scopes in hexadecimal digits, is good for a scope.
fn covers(token: &str, scope: &str) -> bool {
    let Some(scopes) = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return false;
    };
    let (wanted, actions) = scope.rsplit_once(':').unwrap_or((scope, ""));
    actions.split(',').all(|action| {
        scopes.split(' ').any(|granted| {
            granted.rsplit_once(':').is_some_and(|(name, granted)| {
                name == wanted && granted.split(',').any(|granted| granted == action)
            })
        })
    })
}

/// Answers at `/token`. `form` is the query of a `GET`, the body of a `POST`.
pub(super) fn token(shared: &Shared, post: bool, headers: &HeaderMap, form: &str) -> Response<Body> {
    let pairs: Vec<(String, String)> = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), decode(value)))
        .collect();
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let known = match &shared.access {
        Access::Bearer { user: None } => true,
        Access::Bearer { user: Some((_, password)) } if post => {
            value("grant_type") == Some("refresh_token") && value("refresh_token") == Some(password)
        }
        Access::Bearer { user: Some((username, password)) } => given == Some(&basic(username, password)),
        Access::Open | Access::Basic { .. } => false,
    };
    if !known || value("service") != Some("testkit") {
        let body = json!({"details": "incorrect username or password"}).to_string();
        return Response::builder().status(StatusCode::UNAUTHORIZED).body(body.into()).expect("a response");
    }
    let scopes: Vec<&str> =
        pairs.iter().filter(|(key, _)| key == "scope").map(|(_, scope)| scope.as_str()).collect();
    let token = hex::encode(scopes.join(" "));
    let field = if post { "access_token" } else { "token" };
    Response::new(json!({ field: token }).to_string().into())
}

/// Undoes the encoding of a form's value.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                hex::decode(digits).ok().and_then(|decoded| decoded.first().copied()).unwrap_or(b'%')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
