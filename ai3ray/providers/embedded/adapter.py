"""The embedded model: a small real model on this computer's processor, so that ai3ray runs without a key.

SmolLM2-135M-Instruct writes fluent prose on common subjects, and little else. What it is asked is therefore
made short, and what it answers is capped and tidied.
"""

from __future__ import annotations

import asyncio

from ai3ray.domain.call import Message, ModelCall, Prompt, Reply
from ai3ray.errors import ConnectFailed, ModelGone, ProviderError, StreamCut
from ai3ray.providers.embedded.server_process import ServerProcess
from ai3ray.providers.embedded.tidy import trim_to_sentences
from ai3ray.providers.openai import OpenAIChat
from ai3ray.providers.port import OnText
from ai3ray.settings.local_model import LocalModel

ANSWER_TOKENS = 220
"""The most it writes, about 160 words: beyond them it repeats itself."""
SHORT_ANSWER_TOKENS = 150
"""The same for a question of one line."""
SHORT_QUESTION = 160
"""Characters of such a question at most."""
TEMPERATURE = 0.2
SAMPLING = {"repeat_penalty": 1.1, "cache_prompt": True}
"""Without the penalty it loops; with more of it, it rambles."""


class EmbeddedChat:
    """A ChatModel that runs its model in a child process. Answers are always complete and cost nothing.

    Args:
        provider: its name in the configuration.
        files: weights and runtime.
    """

    def __init__(self, *, provider: str, files: LocalModel) -> None:
        self._provider = provider
        self._files = files
        self._process = ServerProcess(files)
        self._chat: OpenAIChat | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"EmbeddedChat({self._provider!r})"

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call; see ChatModel.

        It is streamed even when nobody listens: the server notices that a caller has gone only when it writes.
        An answer that runs into our cap is cut behind its last whole sentence and counts as finished, because
        the cap is the model's own limit and not the caller's.
        """
        try:
            chat = await self._started(call.model)
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
            await self._end()

    async def _started(self, model: str) -> OpenAIChat:
        """The line to the running model. Who finds none starts it, once; those who come meanwhile wait for it."""
        if model != self._files.model_id:
            raise ModelGone(f"the embedded model is {self._files.model_id}, there is no other one")
        async with self._lock:
            if self._chat is None or not self._process.alive:
                await self._end()
                await self._process.start()
                self._chat = OpenAIChat(
                    provider=self._provider, api_key=self._process.key, base_url=self._process.url, extra=SAMPLING
                )
            return self._chat

    async def _end(self) -> None:
        chat, self._chat = self._chat, None
        if chat is not None:
            await chat.aclose()
        await self._process.stop()


def adapt_prompt(prompt: Prompt) -> Prompt:
    """The prompt as a very small model understands it: the short form where there is one, and a cap."""
    if prompt.brief is not None:
        message = Message(role="user", text=prompt.brief)
        prompt = prompt.model_copy(update={"system": "", "messages": (message,)})
    if prompt.json_schema is not None:  # cut, it would be no JSON
        return prompt.model_copy(update={"temperature": 0.0})
    cap = min(prompt.max_output_tokens, _cap(prompt.messages[-1].text))
    return prompt.model_copy(update={"temperature": TEMPERATURE, "max_output_tokens": cap})


def _cap(text: str) -> int:
    question = len(text) <= SHORT_QUESTION and text.rstrip().endswith("?")
    return SHORT_ANSWER_TOKENS if question else ANSWER_TOKENS


def _ignore_text(text: str) -> None:
    """Nobody listens."""
