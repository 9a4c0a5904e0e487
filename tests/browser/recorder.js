// Runs in every page before its own scripts: notes what the page sends, says and is refused, and answers in the
// server's place where a test wants an answer that a healthy server does not give.
window.recorded = { calls: [], spoken: [], violations: [], answers: [] };
document.addEventListener("securitypolicyviolation", (event) => {
  window.recorded.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
document.addEventListener("DOMContentLoaded", () => {
  const live = document.getElementById("live");
  if (!live) return;
  new MutationObserver(() => {
    if (live.textContent) window.recorded.spoken.push(live.textContent);
  }).observe(live, { childList: true, characterData: true, subtree: true });
});
{
  const real = window.fetch;
  const formOf = (body) =>
    Object.fromEntries([...body].map(([name, value]) => [name, value instanceof Blob ? value.size : value]));
  window.fetch = async (url, options = {}) => {
    const { pathname, search } = new URL(url);
    const call = { path: pathname, query: search, form: options.body instanceof FormData ? formOf(options.body) : null };
    window.recorded.calls.push(call);
    if (/search|similar/.test(pathname) && window.recorded.answers.length) {
      const [status, retryAfter, reason] = window.recorded.answers.shift();
      call.status = status;
      const headers = retryAfter === null ? {} : { "Retry-After": String(retryAfter) };
      const problem = { title: "Stood in", status, detail: "as a test wants it", request_id: "test-1", ...(reason === null ? {} : { reason }) };
      return new Response(JSON.stringify(problem), { status, headers });
    }
    const response = await real(url, options);
    call.status = response.status;
    if ((response.headers.get("Content-Type") ?? "").includes("json")) call.answer = await response.clone().json();
    return response;
  };
}
