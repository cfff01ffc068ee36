"""The conversation by langchain-openai: a model with a bound tool, its message and the tool's sent back."""

from importlib import metadata

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from shared import MODEL, QUESTION, REPLY, URL, say


@tool
def get_weather(city: str) -> str:
    """Get the current weather of a city."""
    return REPLY


chat = ChatOpenAI(model=MODEL, base_url=URL, use_responses_api=True, max_retries=0).bind_tools([get_weather])
messages = [SystemMessage("Be brief."), HumanMessage(QUESTION)]
message = chat.invoke(messages)
messages += [message, *(ToolMessage(REPLY, tool_call_id=call["id"]) for call in message.tool_calls)]
chat.invoke(messages)
say(metadata.version("langchain-openai"))
