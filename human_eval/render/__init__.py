"""From a study to folders that open in any browser: one page, pictures and a description per block."""

from human_eval.render.folder import RenderOptions, render_block, render_study

__all__ = ["RenderOptions", "render_block", "render_study"]
