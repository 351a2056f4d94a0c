//! The best of several final responses (RFC 3261 §16.7 steps 6 and 7).

use crate::header::name;
use crate::message::Response;
use crate::status::Status;

/// Chooses among the final responses of all branches; `None` if there is none.
///
/// Challenges of every 401 and 407 go with the chosen one if it is a challenge itself.
pub fn choose<'a>(responses: impl Iterator<Item = &'a Response> + Clone) -> Option<Response> {
    let mut best = responses.clone().min_by_key(|response| rank(response.status))?.clone();
    if is_challenge(best.status) {
        for field in [name::WWW_AUTHENTICATE, name::PROXY_AUTHENTICATE] {
            best.headers.remove(field);
            let challenges = responses.clone().filter(|response| is_challenge(response.status));
            challenges.for_each(|response| best.headers.copy_from(&response.headers, field));
        }
    }
    if best.status == Status::SERVICE_UNAVAILABLE {
        //= RFC 3261 §16.7 step 6: a 503 of one server is no word about this one.
        best.status = Status::SERVER_INTERNAL_ERROR;
        Status::SERVER_INTERNAL_ERROR.reason().clone_into(&mut best.reason);
        best.headers.remove(name::RETRY_AFTER);
    }
    Some(best)
}

const fn is_challenge(status: Status) -> bool {
    matches!(status.code(), 401 | 407)
}

/// Lower is better: 6xx, then the lowest class; within 4xx what the caller can act upon.
const fn rank(status: Status) -> (u16, u16) {
    let class = match status.class() {
        6 => 0,
        class => class,
    };
    let within = match status.code() {
        401 | 407 | 415 | 420 | 484 => 0,
        // What a silent or absent branch leaves tells least.
        408 | 480 => 2,
        _ => 1,
    };
    (class, within)
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::message::Response;
    use crate::status::Status;

    fn best(codes: &[u16]) -> u16 {
        let responses: Vec<_> =
            codes.iter().map(|&code| Response::new(Status::new(code).unwrap())).collect();
        choose(responses.iter()).unwrap().status.code()
    }

    #[test]
    fn order() {
        assert_eq!(best(&[404, 603, 200]), 603);
        assert_eq!(best(&[503, 404]), 404);
        assert_eq!(best(&[486, 302]), 302);
        assert_eq!(best(&[404, 407]), 407);
        assert_eq!(best(&[408, 486]), 486);
        assert_eq!(best(&[503]), 500);
        assert_eq!(choose([].iter()), None);
    }

    #[test]
    fn challenges_are_gathered() {
        let challenge = |code, realm: &str| {
            let name = if code == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
            Response::new(Status::new(code).unwrap())
                .with_header(name, format!("Digest realm=\"{realm}\""))
        };
        let all = [challenge(401, "a"), challenge(407, "b"), challenge(407, "c")];
        let best = choose(all.iter()).unwrap();
        assert_eq!(best.headers.all("WWW-Authenticate").count(), 1);
        assert_eq!(best.headers.all("Proxy-Authenticate").count(), 2);
    }
}
