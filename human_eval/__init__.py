"""Human studies, from design to analysis: design, render, collect, analyse, export."""
