//! Lookups: a reference finds its parent row by natural key, in the database or among the rows
//! that the same statement adds.

use std::collections::{BTreeMap, BTreeSet};

use super::load::{Group, Load};
use crate::plan::catalog::{Column, Table};
use crate::plan::quote::identifier;
use crate::plan::resolve::Target;
use crate::project::source::Place;

/// One reference of one group, numbered within it.
#[derive(Debug)]
pub struct Find<'c> {
    /// Names its columns: `r1_n` rows were found, `r1_v1` is the first column referred to.
    pub number: usize,
    /// Where the parent row is.
    pub parent: &'c Table,
    /// The columns referred to.
    pub parent_columns: &'c [String],
    /// The columns that refer; they belong to the group's table, or to an outer lookup's parent.
    pub columns: &'c [String],
    /// What the parent row must have.
    pub conditions: Vec<(&'c Column, Operand)>,
    /// Whether it must be resolved before rows are identified.
    pub is_early: bool,
    /// Whether it is part of another lookup.
    pub is_nested: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// The nth staged column.
    Leaf(usize),
    /// NULL, when it is a condition.
    Null,
    /// What an expression makes of the nth column of the table.
    Made(usize),
    /// The nth column of a lookup's result.
    Found(usize, usize),
}

/// What one group gives: its columns with their origin, and its lookups, inner ones first.
#[derive(Debug, Default)]
pub struct GroupLookups<'c> {
    /// The columns the group's rows give.
    pub given: Vec<(&'c str, Operand)>,
    /// Its lookups.
    pub finds: Vec<Find<'c>>,
}

/// The lookups of all loads of one statement.
#[derive(Debug)]
pub struct Lookups<'c> {
    /// By the group's suffix.
    pub groups: BTreeMap<String, GroupLookups<'c>>,
    /// For each table that rows are added to and looked up in: the columns that lookups need.
    pub needed: BTreeMap<u32, BTreeSet<&'c str>>,
}

impl<'c> Lookups<'c> {
    /// Finds all lookups, for rows that are in the database already.
    pub fn among_existing<'l: 'c>(loads: &'l [Load<'c>]) -> Lookups<'c> {
        let mut groups = BTreeMap::new();
        for load in loads {
            for group in &load.groups {
                let mut collected = GroupLookups::default();
                let mut leaf = 0;
                for target in group.targets() {
                    for (column, operand) in collect(target, &mut leaf, false, &mut collected.finds) {
                        collected.given.push((column, operand));
                    }
                }
                groups.insert(group.suffix.clone(), collected);
            }
        }
        Lookups { groups, needed: BTreeMap::new() }
    }

    /// Finds all lookups, and which of them must be early: those that identify a row, or that
    /// others look for.
    pub fn of<'l: 'c>(loads: &'l [Load<'c>]) -> Lookups<'c> {
        let mut lookups = Lookups::among_existing(loads);
        lookups.note_needed(loads);
        lookups.mark_early(loads);
        lookups
    }

    /// The order in which loads can be identified: a load whose key needs a parent comes after
    /// the loads of that parent. Fails with the loads that wait for each other.
    pub fn order(&self, loads: &[Load]) -> Result<Vec<usize>, Vec<usize>> {
        let mut order: Vec<usize> = Vec::new();
        while order.len() < loads.len() {
            let is_ready = |at: &usize| {
                !order.contains(at)
                    && loads[*at].groups.iter().all(|group| {
                        self.groups[&group.suffix].finds.iter().filter(|find| find.is_early).all(|find| {
                            loads.iter().enumerate().all(|(other, load)| {
                                load.table.oid != find.parent.oid || order.contains(&other)
                            })
                        })
                    })
            };
            match (0..loads.len()).find(is_ready) {
                Some(ready) => order.push(ready),
                None => return Err((0..loads.len()).filter(|at| !order.contains(at)).collect()),
            }
        }
        Ok(order)
    }

    /// The joins that resolve a group's early or late lookups, for rows called `alias`.
    pub fn joins(&self, group: &Group, alias: &str, early: bool) -> String {
        let mut joins = String::new();
        let finds = &self.groups[&group.suffix].finds;
        for find in finds.iter().filter(|find| find.is_early == early) {
            let number = find.number;
            let results: Vec<String> = find
                .parent_columns
                .iter()
                .enumerate()
                .map(|(at, column)| format!("(array_agg(p.{}))[1] as v{}", identifier(column), at + 1))
                .collect();
            let results = results.join(", ");
            let conditions: Vec<String> = find
                .conditions
                .iter()
                .map(|(column, operand)| {
                    let own = format!("p.{}", identifier(&column.name));
                    if *operand == Operand::Null {
                        return format!("{own} is null");
                    }
                    let value = self.operand(finds, operand, alias, early);
                    format!("{} = {}", column.comparable(&own), column.comparable(&value))
                })
                .collect();
            joins.push_str(&format!(
                "\n  left join lateral (\n    select count(*) as n, {results} from {} p where {}{}\n  ) as t{number} on true",
                find.parent.sql(), conditions.join(" and "), can_be_referred_to(find)
            ));
            if self.needed.contains_key(&find.parent.oid) {
                joins.push_str(
                    &self.join_of_added(find, &results, |operand| self.operand(finds, operand, alias, early)),
                );
            }
        }
        joins
    }

    /// The join that finds a parent among the rows that are added. There is no index on these, so they are
    /// grouped by what is looked for, once for all rows.
    fn join_of_added(&self, find: &Find, results: &str, value: impl Fn(&Operand) -> String) -> String {
        let (mut keys, mut same, mut is_null) = (Vec::new(), Vec::new(), String::new());
        for (column, operand) in &find.conditions {
            let own = format!("p.{}", identifier(&column.name));
            if *operand == Operand::Null {
                is_null.push_str(&format!(" and {own} is null"));
                continue;
            }
            let number = keys.len() + 1;
            let name = format!("m{}.k{number}", find.number);
            same.push(format!("{name} = {}", column.comparable(&value(operand))));
            keys.push(format!("{} as k{number}", column.comparable(&own)));
        }
        let selected: String = keys.iter().map(|key| format!(", {key}")).collect();
        let numbers: Vec<String> =
            (1..=keys.len()).map(|at| (find.parent_columns.len() + 1 + at).to_string()).collect();
        let (groups, same) = match keys.is_empty() {
            true => (String::new(), "true".to_owned()),
            false => (format!(" group by {}", numbers.join(", ")), same.join(" and ")),
        };
        format!(
            "\n  left join (\n    select count(*) as n, {results}{selected} from added_{} p where p.is_new{is_null}{}{groups}\n  ) as m{} on {same}",
            find.parent.oid,
            can_be_referred_to(find),
            find.number
        )
    }

    /// The lookups that a group's rows are told apart by. Where one finds nothing no row is meant, whatever
    /// NULL may be equal to.
    pub fn of_key<'s>(&'s self, load: &'s Load, group: &Group) -> impl Iterator<Item = &'s Find<'c>> {
        let is_of_key = |find: &&Find| {
            !find.is_nested && find.columns.iter().any(|column| load.key.contains(&column.as_str()))
        };
        self.groups[&group.suffix].finds.iter().filter(is_of_key)
    }

    /// How many rows a lookup finds, in the select that joins it.
    pub fn count(&self, find: &Find) -> String {
        match self.needed.contains_key(&find.parent.oid) {
            true => format!("t{0}.n + coalesce(m{0}.n, 0)", find.number),
            false => format!("t{}.n", find.number),
        }
    }

    /// The columns those joins add.
    pub fn outputs(&self, group: &Group, early: bool) -> String {
        let mut outputs = String::new();
        let finds = &self.groups[&group.suffix].finds;
        for find in finds.iter().filter(|find| find.is_early == early) {
            let number = find.number;
            outputs.push_str(&format!(", {} as r{number}_n", self.count(find)));
            for at in 1..=find.parent_columns.len() {
                outputs.push_str(&format!(", {} as r{number}_v{at}", self.joined(find, at)));
            }
        }
        outputs
    }

    /// The SQL of an operand for rows called `alias`: in the select that joins the lookups
    /// themselves, or in one behind it.
    pub fn operand(&self, finds: &[Find], operand: &Operand, alias: &str, joining_early: bool) -> String {
        match operand {
            Operand::Null => "null".to_owned(),
            Operand::Leaf(number) => format!("{alias}.c{number}"),
            Operand::Made(number) => format!("{alias}.e{number}"),
            Operand::Found(number, at) => {
                let find = finds.iter().find(|find| find.number == *number);
                match find.filter(|find| find.is_early == joining_early) {
                    Some(find) => self.joined(find, *at),
                    None => format!("{alias}.r{number}_v{at}"),
                }
            }
        }
    }

    fn joined(&self, find: &Find, at: usize) -> String {
        let number = find.number;
        if self.needed.contains_key(&find.parent.oid) {
            format!("coalesce(t{number}.v{at}, m{number}.v{at})")
        } else {
            format!("t{number}.v{at}")
        }
    }

    fn note_needed(&mut self, loads: &[Load<'c>]) {
        for lookups in self.groups.values() {
            for find in &lookups.finds {
                if loads.iter().any(|load| load.table.oid == find.parent.oid) {
                    let needed = self.needed.entry(find.parent.oid).or_default();
                    needed.extend(find.parent_columns.iter().map(String::as_str));
                    needed.extend(find.conditions.iter().map(|(column, _)| column.name.as_str()));
                }
            }
        }
    }

    fn mark_early(&mut self, loads: &[Load<'c>]) {
        for load in loads {
            let mut early: BTreeSet<&str> = load.key.iter().copied().collect();
            early.extend(self.needed.get(&load.table.oid).into_iter().flatten());
            for group in &load.groups {
                let Some(lookups) = self.groups.get_mut(&group.suffix) else { continue };
                // Outer lookups come behind their inner ones, so going backwards reaches both.
                for at in (0..lookups.finds.len()).rev() {
                    let find = &lookups.finds[at];
                    let is_early = find.is_early
                        || !find.is_nested
                            && find.columns.iter().any(|column| early.contains(column.as_str()));
                    if is_early {
                        let inner: Vec<usize> = find
                            .conditions
                            .iter()
                            .filter_map(|(_, operand)| match operand {
                                Operand::Found(number, _) => Some(*number),
                                Operand::Leaf(_) | Operand::Null | Operand::Made(_) => None,
                            })
                            .collect();
                        lookups.finds[at].is_early = true;
                        for find in &mut lookups.finds {
                            find.is_early |= inner.contains(&find.number);
                        }
                    }
                }
            }
        }
    }
}

/// Numbers the leaves and lookups under a target, depth first, and returns where the target's
/// columns get their values.
fn collect<'c>(
    target: &Target<'c>,
    leaf: &mut usize,
    nested: bool,
    finds: &mut Vec<Find<'c>>,
) -> Vec<(&'c str, Operand)> {
    match target {
        Target::Plain { column, text, .. } => {
            *leaf += 1;
            let operand = if nested && text.is_none() { Operand::Null } else { Operand::Leaf(*leaf) };
            vec![(column.name.as_str(), operand)]
        }
        Target::Made { table, column, .. } => {
            let at = table.columns.iter().position(|other| other.name == column.name);
            vec![(column.name.as_str(), Operand::Made(at.unwrap_or_default() + 1))]
        }
        Target::Reference { foreign_key, lookup, .. } => {
            let mut conditions = Vec::new();
            for inner in &lookup.targets {
                for (name, operand) in collect(inner, leaf, true, finds) {
                    if let Some(column) = lookup.parent.column(name) {
                        conditions.push((column, operand));
                    }
                }
            }
            let number = finds.len() + 1;
            finds.push(Find {
                number,
                parent: lookup.parent,
                parent_columns: &foreign_key.parent_columns,
                columns: &foreign_key.columns,
                conditions,
                is_early: false,
                is_nested: nested,
            });
            let columns = foreign_key.columns.iter().enumerate();
            columns.map(|(at, column)| (column.as_str(), Operand::Found(number, at + 1))).collect()
        }
    }
}

/// What one lookup of one row looked for, for a message.
#[derive(Debug, Clone)]
pub struct Sought {
    /// Where the author wrote it.
    pub place: Place,
    /// The parent's table.
    pub parent: String,
    /// The condition in words, like `name = 'Legal'`.
    pub condition: String,
    /// The value, when it is only one.
    pub value: Option<String>,
}

/// What a lookup of a row, given by its number in the row's group, looks for.
pub fn sought(targets: &[Target], number: usize) -> Option<Sought> {
    let mut seen = 0;
    targets.iter().find_map(|target| describe(target, number, &mut seen))
}

fn describe(target: &Target, number: usize, seen: &mut usize) -> Option<Sought> {
    let Target::Reference { lookup, place, .. } = target else { return None };
    let inner = lookup.targets.iter().find_map(|inner| describe(inner, number, seen));
    if inner.is_some() {
        return inner;
    }
    *seen += 1;
    if *seen != number {
        return None;
    }
    let wanted: Vec<String> = lookup.targets.iter().map(wanted).collect();
    let value = match lookup.targets.as_slice() {
        [target @ Target::Plain { text, .. }] if !target.is_secret() => text.clone(),
        _ => None,
    };
    Some(Sought {
        place: place.clone(),
        parent: lookup.parent.name.clone(),
        condition: wanted.join(" and "),
        value,
    })
}

fn wanted(target: &Target) -> String {
    match target {
        Target::Plain { column, .. } | Target::Made { column, .. } if target.volatile().is_some() => {
            format!("{} = '***'", column.name)
        }
        Target::Made { column, .. } => column.name.clone(),
        Target::Plain { column, text: Some(text), .. } => format!("{} = '{text}'", column.name),
        Target::Plain { column, text: None, .. } => format!("{} null", column.name),
        Target::Reference { lookup, .. } => {
            let inner: Vec<String> = lookup.targets.iter().map(wanted).collect();
            format!("its {} having {}", lookup.parent.name, inner.join(" and "))
        }
    }
}

/// Which parents a child can refer to: one with NULL where the reference leads refers to nobody, or to whoever
/// else has none.
fn can_be_referred_to(find: &Find) -> String {
    find.parent_columns.iter().map(|column| format!(" and p.{} is not null", identifier(column))).collect()
}
