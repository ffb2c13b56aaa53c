// Greets whom the input names.

export async function handler(event) {
  // Over HTTP the input is the body of the request; from `taibai invoke` and from jobs it is the event itself.
  const input = event.requestContext ? JSON.parse(event.body || '{}') : event;
  const name = input.name || 'world';
  console.log(`greeting ${name}`);
  return { message: `Hello, ${name}!` };
}

// Sends its answer as it is made. To try it: taibai deploy Functions/hello-node --handler index.count
export const count = awslambda.streamifyResponse(async (event, response) => {
  response = awslambda.HttpResponseStream.from(response, { headers: { 'content-type': 'text/plain' } });
  for (let number = 1; number <= 3; number++) {
    response.write(`${number}\n`);
  }
  response.end();
});
