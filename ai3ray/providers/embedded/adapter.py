"""A small model on this computer's processor, so that ai3ray runs without a key.

SmolLM2-135M-Instruct writes fluent prose on common subjects, and little else. So its prompts are shortened, and its
answers capped and trimmed.
"""

from __future__ import annotations

import asyncio

from ai3ray.domain.call import Message, ModelCall, Prompt, Reply
from ai3ray.errors import ConnectFailed, ModelGone, ProviderError, StreamCut
from ai3ray.providers.embedded.server_process import ServerProcess
from ai3ray.providers.embedded.tidy import trim_to_sentences
from ai3ray.providers.failures.translate import ProviderAccount
from ai3ray.providers.openai import OpenAIChat
from ai3ray.providers.port import OnText
from ai3ray.settings.embedded_files import EmbeddedModelFiles

ANSWER_TOKENS = 220
"""About 160 words; beyond that the model repeats itself."""
SHORT_ANSWER_TOKENS = 150
SHORT_QUESTION_CHARS = 160
TEMPERATURE = 0.2
SAMPLING = {"repeat_penalty": 1.1, "cache_prompt": True}
"""Without the penalty the model loops; with a higher one it rambles."""


class EmbeddedChat:
    """A ChatModel that runs its model in a child process and costs nothing."""

    def __init__(self, *, provider: str, files: EmbeddedModelFiles) -> None:
        self._provider = provider
        self._files = files
        self._process = ServerProcess(files)
        self._chat: OpenAIChat | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"EmbeddedChat({self._provider!r})"

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call, always streamed, because the server notices a lost caller only when it writes.

        An answer that reaches this adapter's own cap is trimmed to its last whole sentence and counts as finished.
        """
        try:
            chat = await self._connect(call.model)
        except ProviderError as error:
            error.provider, error.model = self._provider, call.model
            raise
        prompt = adapt_prompt(call.prompt)
        try:
            reply = await chat.send(call.model_copy(update={"prompt": prompt}), on_text or _ignore_text)
        except (ConnectFailed, StreamCut):
            await self._process.wait_for_exit()
            raise
        if reply.finish == "length" and prompt.max_output_tokens < call.prompt.max_output_tokens:
            reply = reply.model_copy(update={"text": trim_to_sentences(reply.text), "finish": "stop"})
        return reply.model_copy(update={"model": call.model, "cost_usd": 0.0})

    async def aclose(self) -> None:
        """End the process."""
        async with self._lock:
            await self._stop()

    async def _connect(self, model: str) -> OpenAIChat:
        """Return a client of the server. The first caller starts it; concurrent callers wait for it."""
        if model != self._files.model_id:
            raise ModelGone(f"the embedded model is {self._files.model_id}; there is no other")
        async with self._lock:
            if self._chat is None or not self._process.alive:
                await self._stop()
                await self._process.start()
                account = ProviderAccount(self._provider, self._process.url, self._process.key)
                self._chat = OpenAIChat(account, extra=SAMPLING)
            return self._chat

    async def _stop(self) -> None:
        chat, self._chat = self._chat, None
        if chat is not None:
            await chat.aclose()
        await self._process.stop()


def adapt_prompt(prompt: Prompt) -> Prompt:
    """Return the prompt for a very small model, in its short form if it has one, and capped."""
    if prompt.brief is not None:
        message = Message(role="user", text=prompt.brief)
        prompt = prompt.model_copy(update={"system": "", "messages": (message,)})
    if prompt.json_schema is not None:  # a capped answer would be invalid JSON
        return prompt.model_copy(update={"temperature": 0.0})
    text = prompt.messages[-1].text
    short = len(text) <= SHORT_QUESTION_CHARS and text.rstrip().endswith("?")
    cap = min(prompt.max_output_tokens, SHORT_ANSWER_TOKENS if short else ANSWER_TOKENS)
    return prompt.model_copy(update={"temperature": TEMPERATURE, "max_output_tokens": cap})


def _ignore_text(text: str) -> None:
    """Do nothing."""
