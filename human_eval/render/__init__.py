"""From a study to folders that open in any browser: one page, pictures and a description per block."""

from human_eval.render.folder import RenderOptions, is_rendered, render_block, render_study

__all__ = ["RenderOptions", "is_rendered", "render_block", "render_study"]
