"""Graphs as drawings, and a backward pass step by step, as records and as a page."""

from engine.pictures.draw import Drawing as Drawing
from engine.pictures.draw import draw as draw
from engine.pictures.steps import mistake as mistake
from engine.pictures.steps import steps as steps
from engine.pictures.story.mistake import Mistake as Mistake
from engine.pictures.story.steps import Steps as Steps
