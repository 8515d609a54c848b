//! Challenges and their answers.

use std::sync::Arc;

use image::{Digest, MediaType};
use registry::{Credential, RegistryError};
use testkit::images::push_image;
use testkit::registry::{Access, Fault, Registry};

use crate::{Always, client, client_with, download};

fn user(password: &str) -> Arc<Always> {
    Arc::new(Always(Credential::Basic { username: "user".to_owned(), password: password.to_owned() }))
}

fn basic() -> Registry {
    Registry::start_with(Access::Basic { username: "user".to_owned(), password: "pass:word".to_owned() })
}

fn bearer() -> Registry {
    let user = Some(("user".to_owned(), "pass:word".to_owned()));
    Registry::start_with(Access::Bearer { user })
}

fn app(registry: &Registry) {
    push_image(registry, "app:1", &[]);
}

#[tokio::test]
async fn a_password_opens_a_registry() {
    for registry in [basic(), bearer()] {
        app(&registry);
        client_with(user("pass:word")).manifest(&registry.reference("app:1")).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_password_does_not() {
    for registry in [basic(), bearer()] {
        app(&registry);
        let error = client_with(user("other")).manifest(&registry.reference("app:1")).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
        assert_eq!(registry.requests().len(), 2, "refused is refused");
        let error = client().manifest(&registry.reference("app:1")).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error}");
    }
}

#[tokio::test]
async fn nobody_in_particular_gets_a_token_too() {
    let registry = Registry::start_with(Access::Bearer { user: None });
    app(&registry);
    client().manifest(&registry.reference("app:1")).await.unwrap();
}

#[tokio::test]
async fn an_identity_token_is_posted() {
    let registry = bearer();
    app(&registry);
    let token = Credential::IdentityToken { username: String::new(), token: "pass:word".to_owned() };
    client_with(Arc::new(Always(token))).manifest(&registry.reference("app:1")).await.unwrap();
    assert!(registry.requests().iter().any(|request| request.is("POST", "/token")));
}

#[tokio::test]
async fn a_token_is_kept_for_its_scope() {
    let registry = bearer();
    app(&registry);
    let client = client_with(user("pass:word"));
    let tokens = || registry.requests().iter().filter(|request| request.target.starts_with("/token")).count();
    for _ in 0..2 {
        client.clone().manifest(&registry.reference("app:1")).await.unwrap();
    }
    assert_eq!(tokens(), 1);
    let reference = registry.reference("app:2");
    client.push_manifest(&reference, &MediaType::OciIndex, b"{}".to_vec()).await.unwrap();
    assert_eq!(tokens(), 2);
}

#[tokio::test]
async fn requests_at_the_same_time_share_a_token() {
    let registry = bearer();
    app(&registry);
    let (client, reference) = (client_with(user("pass:word")), registry.reference("app:1"));
    let pulls = (0..8).map(|_| client.manifest(&reference));
    futures_util::future::try_join_all(pulls).await.unwrap();
    let tokens = registry.requests().iter().filter(|request| request.target.starts_with("/token")).count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn a_token_that_has_expired_is_replaced() {
    let registry = bearer();
    app(&registry);
    let (client, reference) = (client_with(user("pass:word")), registry.reference("app:1"));
    client.manifest(&reference).await.unwrap();
    let challenge = format!("Bearer realm=\"http://{}/token\",service=testkit,scope=\"x\"", registry.name());
    registry.fail(Fault::Status(401, vec![("www-authenticate", challenge)]), |request| {
        request.is("GET", "/manifests/")
    });
    client.manifest(&reference).await.unwrap();
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirect_to_another_host() {
    let (registry, storage) = (bearer(), Registry::start());
    let blob = registry.put_blob("app", MediaType::OciConfig, "content");
    storage.put_blob("app", MediaType::OciConfig, "content");
    let target = format!("http://{}/v2/app/blobs/{}", storage.name(), blob.digest);
    registry.fail(Fault::Status(307, vec![("location", target)]), |request| {
        request.is("GET", "/blobs/") && request.authorization.is_some()
    });
    let client = client_with(user("pass:word"));
    let bytes = download(&client, registry.reference("app").repository(), &blob).await.unwrap();
    assert_eq!(Digest::of(&bytes), blob.digest);
    let seen = storage.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].authorization, None);
}
