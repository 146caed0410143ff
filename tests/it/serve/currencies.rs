//! A lake has one currency, also if the first requests of a server come at once and name two.

use std::thread;

use crate::serve::printed;
use crate::serve::server::{Server, said};
use crate::world::World;

/// How many lakes are begun by requests in two currencies.
const LAKES: usize = 6;
const REQUESTS: usize = 8;

#[test]
fn of_first_requests_in_two_currencies_those_of_one_are_accepted_and_get_into_the_lake() {
    for _ in 0..LAKES {
        let world = World::new();
        let mut server = Server::start(&world, &["--segment-age", "0s"]);
        let accepted: Vec<_> = thread::scope(|scope| {
            let send = |number: usize| {
                let (server, currency) = (&server, ["EUR", "USD"][number % 2]);
                scope.spawn(move || {
                    let body = format!(
                        "{{\"ts\":\"2017-01-14T20:30:00Z\",\"item_id\":\"apple\",\"amount\":1,\"currency\":\"{currency}\",\"event_id\":\"{number}\"}}"
                    );
                    (currency, server.post_json(&body).status)
                })
            };
            let clients: Vec<_> = (0..REQUESTS).map(send).collect();
            let answers = clients.into_iter().map(|client| client.join().expect("no panic"));
            answers.filter(|(_, status)| *status == 200).map(|(currency, _)| currency).collect()
        });
        assert_eq!(accepted.len(), REQUESTS / 2, "{accepted:?}");
        assert!(accepted.iter().all(|currency| *currency == accepted[0]), "{accepted:?}");
        assert!(server.stop().success());
        let said = said(&world);
        assert!(!said.contains("cannot move events"), "{said}");
        assert!(!said.contains("not in the lake yet"), "{said}");
        let counted = printed(&world, "count apple --from 2017-01-14 --to 2017-01-15");
        assert!(counted.contains(&format!("\"purchases\":{}", REQUESTS / 2)), "{counted}");
    }
}
