//! Signature Version 4, the verifying side.
//!
//! Source: IAM user guide, "Create a signed AWS API request" (reference_sigv-create-signed-request).

use hmac::{Hmac, KeyInit, Mac};
use hyper::http::{HeaderMap, request::Parts};
use sha2::{Digest, Sha256};

use crate::host::hex;

/// What an `Authorization` header claims.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) date: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Claim<'a> {
    /// Reads the header; `None` where it is missing or is of another kind.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let fields = headers
            .get("authorization")?
            .to_str()
            .ok()?
            .strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            fields
                .split(',')
                .find_map(|f| f.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let mut scope = field("Credential")?.split('/');
        Some(Self {
            access_key: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }

    /// Was this request signed with `secret`?
    pub(crate) fn verify(&self, secret: &str, request: &Parts, body: &[u8]) -> bool {
        let Some(timestamp) = header(&request.headers, "x-amz-date") else {
            return false;
        };
        let scope = format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        );
        let canonical = self.canonical_request(request, body);
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{}",
            hex(&Sha256::digest(canonical))
        );
        let mut key = mac(format!("AWS4{secret}").as_bytes(), self.date);
        for part in [self.region, self.service, "aws4_request"] {
            key = mac(&key, part);
        }
        hex(&mac(&key, &to_sign)) == self.signature
    }

    fn canonical_request(&self, request: &Parts, body: &[u8]) -> String {
        let mut query: Vec<&str> = request
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
            .collect();
        query.sort_unstable();
        let mut headers = String::new();
        for name in self.signed_headers.split(';') {
            let value = header(&request.headers, name).unwrap_or_default();
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            headers.extend([name, ":", &words.join(" "), "\n"]);
        }
        format!(
            "{}\n{}\n{}\n{headers}\n{}\n{}",
            request.method,
            request.uri.path(),
            query.join("&"),
            self.signed_headers,
            hex(&Sha256::digest(body)),
        )
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of any length: this cannot fail.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    /// "get-vanilla-query-order-key-case" of AWS's Signature Version 4 test suite.
    fn vanilla(signature: &str) -> Parts {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        Request::builder()
            .uri("/?Param2=value2&Param1=value1")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header("authorization", authorization)
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    const SIGNATURE: &str = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    #[test]
    fn aws_own_example_verifies() {
        let request = vanilla(SIGNATURE);
        let claim = Claim::of(&request.headers).unwrap();
        assert_eq!(
            (claim.access_key, claim.service),
            ("AKIDEXAMPLE", "service")
        );
        assert!(claim.verify(SECRET, &request, b""));
    }

    #[test]
    fn another_secret_or_body_does_not() {
        let request = vanilla(SIGNATURE);
        let claim = Claim::of(&request.headers).unwrap();
        assert!(!claim.verify("other", &request, b""));
        assert!(!claim.verify(SECRET, &request, b"x"));
    }

    #[test]
    fn no_header_is_no_claim() {
        assert_eq!(Claim::of(&HeaderMap::new()), None);
    }
}
