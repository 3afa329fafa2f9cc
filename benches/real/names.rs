//! Names: what people would call a row by, in place of an id.

use std::collections::{HashMap, HashSet};

use postgres::Client;

use super::catalog::{Column, Table, Target};
use super::sql::{ident, value};

/// The columns that name a row, by the column they stand for.
pub struct Names(HashMap<Target, Vec<String>>);

impl Names {
    /// Looks for them in unique keys, and else in text that happens to tell the rows apart. A name may hold
    /// other names, but no name leads back to itself.
    pub fn find(client: &mut Client, tables: &[Table]) -> Names {
        let mut targets: Vec<Target> = Vec::new();
        for table in tables {
            let id = table.made_id().map(|id| Target { oid: table.oid.clone(), column: id.name.clone() });
            let parents = table.columns.iter().filter_map(Column::parent).cloned();
            targets.extend(id.into_iter().chain(parents));
        }
        let mut seen = HashSet::new();
        targets.retain(|target| seen.insert(target.clone()));
        let mut names = Names(HashMap::new());
        names.find_more(client, tables, &targets, &HashSet::new());
        // What has no name, and is no id that the server makes, is a name itself.
        let is_plain = |target: &&Target| {
            let table = tables.iter().find(|table| table.oid == target.oid);
            let column = table.and_then(|table| table.column(&target.column));
            !names.0.contains_key(target) && column.is_some_and(|column| !column.is_made)
        };
        let plain = targets.iter().filter(is_plain).cloned().collect();
        names.find_more(client, tables, &targets, &plain);
        names
    }

    /// The columns that name a row of a table, in place of one column.
    pub fn of(&self, target: &Target) -> Option<&[String]> {
        self.0.get(target).map(Vec::as_slice)
    }

    fn find_more(
        &mut self,
        client: &mut Client,
        tables: &[Table],
        targets: &[Target],
        plain: &HashSet<Target>,
    ) {
        let mut found = true;
        while std::mem::take(&mut found) {
            for target in targets {
                let table = tables.iter().find(|table| table.oid == target.oid);
                let Some(table) = table.filter(|_| !self.0.contains_key(target) && !plain.contains(target))
                else {
                    continue;
                };
                if let Some(columns) = self.name(client, table, &target.column, plain) {
                    self.0.insert(target.clone(), columns);
                    found = true;
                }
            }
        }
    }

    fn name(
        &self,
        client: &mut Client,
        table: &Table,
        meant: &str,
        plain: &HashSet<Target>,
    ) -> Option<Vec<String>> {
        let is_known = |column: &Column| match column.parents.as_slice() {
            [] => true,
            [parent] if column.is_reference => self.0.contains_key(parent) || plain.contains(parent),
            _ => false,
        };
        let is_good = |column: &&Column| column.name != meant && column.is_required && is_known(column);
        let is_natural = |columns: &[String]| {
            columns
                .iter()
                .all(|name| table.column(name).is_some_and(|column| !column.is_made && is_good(&column)))
        };
        if let Some(key) = table.keys.iter().find(|key| is_natural(&key.columns)) {
            return Some(key.columns.clone());
        }
        let words = table.columns.iter().filter(is_good).filter(|column| column.is_text && !column.is_made);
        let words: Vec<&str> = words.map(|column| column.name.as_str()).collect();
        let parents = table.columns.iter().filter(is_good).filter(|column| column.is_reference);
        let parents: Vec<&str> = parents.map(|column| column.name.as_str()).collect();
        let mut tried: Vec<Vec<&str>> = words.iter().map(|word| vec![*word]).collect();
        for word in &words {
            tried.extend(parents.iter().filter(|parent| *parent != word).map(|parent| vec![*word, *parent]));
        }
        let tells = tried.into_iter().find(|columns| {
            let list: Vec<String> = columns.iter().map(|column| ident(column)).collect();
            let tells = format!(
                "select count(*) > 0 and count(distinct ({})) = count(*) and max(length({}::text)) < 80 from {}",
                list.join(", "),
                list[0],
                table.sql
            );
            value(client, &tells) == "t"
        })?;
        Some(tells.into_iter().map(str::to_owned).collect())
    }
}
