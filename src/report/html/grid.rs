//! Rows that were compared, as a table.

use maud::{Markup, html};

use super::words::Words;
use crate::project::grid::Grid;

/// The table. What differs is marked in both of the rows that were compared.
pub fn draw(grid: &Grid, words: &Words) -> Markup {
    let Some(((_, names), rows)) = grid.lines.split_first() else { return html! {} };
    html! {
        figure .grid {
            @if let Some(legend) = grid.legend { figcaption { (legend) } }
            div .scroll tabindex="0" role="group" aria-label="Rows that were compared" {
                table {
                    thead {
                        tr {
                            th scope="col" { span .unseen { "Sign" } }
                            @for name in names { th scope="col" { (words.say(name)) } }
                        }
                    }
                    tbody {
                        @for (at, (sign, cells)) in rows.iter().enumerate() {
                            (row(grid, at + 1, sign, cells, words))
                        }
                    }
                }
            }
            @for more in &grid.more { p .note { (words.say(more)) } }
        }
    }
}

fn row(grid: &Grid, line: usize, sign: &str, cells: &[String], words: &Words) -> Markup {
    let name = match sign {
        "-" => "minus",
        "+" => "plus",
        "~" => "changed",
        _ => "same",
    };
    let columns = grid.lines[0].1.len();
    html! {
        tr .(name) {
            th scope="row" {
                span aria-hidden="true" { (if sign == "-" { "−" } else { sign }) }
                span .unseen { (meaning(grid.legend, sign)) }
            }
            // A single remark that stands for a whole row is no cell.
            @if cells.len() == 1 && columns > 1 {
                td .remark colspan=(columns) { (words.say(&cells[0])) }
            } @else {
                @for (column, cell) in cells.iter().enumerate() {
                    @if differs(grid, line, column) { td .differs { (words.say(cell)) } }
                    @else { td { (words.say(cell)) } }
                }
            }
        }
    }
}

/// Whether a cell differs from the one above it, or the one below from it.
fn differs(grid: &Grid, line: usize, column: usize) -> bool {
    let is_pair = |marked: usize| marked == line || marked == line + 1;
    grid.marked.iter().any(|(marked, columns)| is_pair(*marked) && columns.contains(&column))
}

/// What the legend says of a sign, for those to whom it is read aloud.
fn meaning<'a>(legend: Option<&'a str>, sign: &str) -> &'a str {
    let parts = legend.unwrap_or_default().split(", ");
    parts.filter_map(|part| part.split_once(' ')).find(|(own, _)| *own == sign).map_or("", |(_, words)| words)
}
