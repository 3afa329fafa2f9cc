//! Assertions too large to write down.

use crate::support::{Database, Seedbed, project};

#[test]
fn cells_are_not_counted_by_the_protocol() {
    let database = Database::create();
    let columns: Vec<String> = (1..=80).map(|at| format!("i + {at} as c{at}")).collect();
    let row = |i: usize| {
        let cells: Vec<String> = (1..=80).map(|at| format!("c{at}: {}", i + at)).collect();
        format!("      - {{{}}}\n", cells.join(", "))
    };
    let rows: String = (1..=1000).rev().map(row).collect();
    let scenario = format!(
        "scenario: Large\nsteps:\n  - assert: Eighty thousand cells\n    query: select {} from generate_series(1, 1000) as i\n    rows:\n{rows}",
        columns.join(", ")
    );
    let directory = project(&[("scenarios/a.yaml", &scenario)]);
    let output = Seedbed::new(directory.path()).variable("CONNECTION_STRING", &database.url()).run(&["run"]);
    assert_eq!(output.status, "0", "{}", output.text);
    assert!(output.text.contains("1000 rows"), "{}", output.text);
}
