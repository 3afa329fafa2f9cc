//! Units: loads that have to see each other's rows, in an order in which parents come first.
//!
//! Without files everything is one unit, and one statement. A file's rows are better off alone, unless
//! they and others refer to each other in a circle, or rows that are deleted were referred to until then:
//! foreign keys are checked at the end of each statement.

use std::ops::Range;

use super::load::Load;

/// Loads in the order of their units, numbered anew, and the units.
pub fn ordered(loads: Vec<Load>) -> (Vec<Load>, Vec<Range<usize>>) {
    let has_file = |load: &Load| load.groups.iter().any(|group| group.file.is_some());
    let parents: Vec<Vec<usize>> = loads.iter().map(|load| before(load, &loads)).collect();
    let files: Vec<bool> = loads.iter().map(has_file).collect();
    let units = units(&parents, &files);
    let mut places: Vec<Option<Load>> = loads.into_iter().map(Some).collect();
    let (mut ordered, mut ranges) = (Vec::new(), Vec::new());
    for unit in units {
        let start = ordered.len();
        ordered.extend(unit.into_iter().filter_map(|at| places[at].take()));
        ranges.push(start..ordered.len());
    }
    number(&mut ordered);
    (ordered, ranges)
}

/// Numbers loads in their order.
pub fn number(loads: &mut [Load]) {
    for (at, load) in loads.iter_mut().enumerate() {
        load.number = at + 1;
        for (group, number) in load.groups.iter_mut().zip(1..) {
            group.suffix = format!("{}_{number}", at + 1);
        }
    }
}

/// The loads that must not come behind a load: those of its parents, those that may let go of rows which it
/// deletes, and those of its own table, which have to agree with it.
fn before(load: &Load, loads: &[Load]) -> Vec<usize> {
    let is_before = |(_, other): &(usize, &Load)| {
        let is_same_table = other.table.oid == load.table.oid;
        other.number != load.number
            && (is_same_table || refers(load, other) || refers(other, load) && lets_go(other, load))
    };
    loads.iter().enumerate().filter(is_before).map(|(at, _)| at).collect()
}

/// Whether rows of a load refer to the table of another, by name or by value.
fn refers(load: &Load, parent: &Load) -> bool {
    let parent = parent.table.oid;
    load.parents().contains(&parent)
        || load.table.partitions_refer_to.contains(&parent)
        || load.table.foreign_keys.iter().any(|key| {
            key.parent == parent && key.columns.iter().all(|name| load.deletes() || may_fill(load, name))
        })
}

/// Whether rows that a load inserts may have a value in a column.
fn may_fill(load: &Load, name: &str) -> bool {
    load.table.column(name).is_some_and(|column| column.default.is_some())
        || load
            .groups
            .iter()
            .any(|group| group.targets().iter().any(|target| target.columns().contains(&name)))
}

/// Whether a load may take away references to rows that its parent deletes.
fn lets_go(load: &Load, parent: &Load) -> bool {
    parent.deletes() && (load.deletes() || load.updates.is_some())
}

/// Groups loads by who refers to whom: circles stay together, parents come first, and neighbours
/// without a file share a unit.
fn units(parents: &[Vec<usize>], files: &[bool]) -> Vec<Vec<usize>> {
    let reached: Vec<Vec<bool>> = (0..parents.len()).map(|at| reached(at, parents)).collect();
    let mut left: Vec<usize> = (0..parents.len()).collect();
    let mut units: Vec<Vec<usize>> = Vec::new();
    while !left.is_empty() {
        let is_ready = |at: &&usize| left.iter().all(|other| !reached[**at][*other] || reached[*other][**at]);
        let Some(&ready) = left.iter().find(is_ready) else { break };
        let is_of_circle = |at: &usize| *at == ready || reached[*at][ready] && reached[ready][*at];
        let circle: Vec<usize> = left.iter().copied().filter(is_of_circle).collect();
        left.retain(|at| !circle.contains(at));
        let is_written = |unit: &[usize]| unit.iter().all(|at| !files[*at]);
        match units.last_mut().filter(|last| is_written(last) && is_written(&circle)) {
            Some(last) => last.extend(circle),
            None => units.push(circle),
        }
    }
    units
}

fn reached(from: usize, parents: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; parents.len()];
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        for &parent in &parents[at] {
            if !std::mem::replace(&mut reached[parent], true) {
                next.push(parent);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_circles_stay_together() {
        let check = |parents: &[&[usize]], files: &[usize], expected: &[&[usize]]| {
            let parents: Vec<Vec<usize>> = parents.iter().map(|it| it.to_vec()).collect();
            let files: Vec<bool> = (0..parents.len()).map(|at| files.contains(&at)).collect();
            assert_eq!(units(&parents, &files), expected, "{parents:?}");
        };
        check(&[&[], &[], &[]], &[], &[&[0, 1, 2]]);
        check(&[&[1], &[]], &[0], &[&[1], &[0]]);
        check(&[&[2], &[0], &[]], &[0], &[&[2], &[0], &[1]]);
        check(&[&[1], &[0], &[]], &[0], &[&[0, 1], &[2]]);
        check(&[&[], &[], &[1]], &[1], &[&[0], &[1], &[2]]);
    }
}
