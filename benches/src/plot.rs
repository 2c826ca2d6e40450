//! The curve of recall and speed as a drawing.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::measure::Point;
use crate::report::Report;

/// Draws one line for each number of threads: recall to the right, queries per second upwards on a logarithmic scale.
pub(crate) fn draw(path: &Path, report: &Report) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (800, 560)).into_drawing_area();
    area.fill(&WHITE)?;
    let least = report.points.iter().map(|point| point.recall).fold(1.0, f64::min);
    let slowest = report.points.iter().map(|point| point.qps).fold(f64::INFINITY, f64::min);
    let fastest = report.points.iter().map(|point| point.qps).fold(1.0, f64::max);
    let across = (least - 0.01).max(0.0)..1.002;
    let up = ((slowest.min(fastest) * 0.8).max(0.1)..fastest * 1.25).log_scale();
    let caption = format!("{}, {}, k = {}", report.dataset, report.description, report.k);
    let mut chart = ChartBuilder::on(&area)
        .caption(caption, ("sans-serif", 15))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(across, up)?;
    chart.configure_mesh().x_desc(format!("recall@{}", report.k)).y_desc("queries per second").draw()?;
    let mut threads: Vec<usize> = report.points.iter().map(|point| point.threads).collect();
    threads.sort_unstable();
    threads.dedup();
    for (i, count) in threads.iter().enumerate() {
        let color = Palette99::pick(i).to_rgba();
        let of_count = |point: &&Point| point.threads == *count;
        let mut line: Vec<(f64, f64)> = report.points.iter().filter(of_count).map(|p| (p.recall, p.qps)).collect();
        line.sort_by(|a, b| a.0.total_cmp(&b.0));
        chart
            .draw_series(LineSeries::new(line.iter().copied(), color.stroke_width(2)))?
            .label(if *count == 1 { "1 thread".to_owned() } else { format!("{count} threads") })
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        chart.draw_series(line.iter().map(|at| Circle::new(*at, 3, color.filled())))?;
    }
    // The curves fall to the lower right, so the lower left is free.
    let labels = SeriesLabelPosition::LowerLeft;
    chart.configure_series_labels().position(labels).border_style(BLACK).background_style(WHITE).draw()?;
    area.present()?;
    Ok(())
}
