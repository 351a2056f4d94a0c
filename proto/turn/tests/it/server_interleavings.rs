//! Operations in any order, against the model of who may send to whom that fuzzing uses.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::server_model::run;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn as_the_model_says(bytes in vec(any::<u8>(), 0..1500)) {
        run(&bytes);
    }
}
