"""The conversation by openai-agents: a function tool, and a run to its final output."""

from importlib import metadata

from agents import Agent, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from shared import MODEL, QUESTION, REPLY, URL, say


@function_tool
def get_weather(city: str) -> str:
    """Get the current weather of a city.

    Args:
        city: Name of the city
    """
    return REPLY


set_tracing_disabled(True)
model = OpenAIResponsesModel(model=MODEL, openai_client=AsyncOpenAI(base_url=URL, max_retries=0))
agent = Agent(name="Assistant", instructions="Be brief.", tools=[get_weather], model=model)
Runner.run_sync(agent, QUESTION)
say(metadata.version("openai-agents"))
