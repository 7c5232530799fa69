// Shows the document that lies beside /docs/, in the colours that the browser asks for.
const address = new URL('../openapi.json', document.currentScript.src).href;
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);

follow();
dark.addEventListener('change', follow);
SwaggerUIBundle({
  url: address,
  dom_id: '#document',
  deepLinking: true,
  defaultModelsExpandDepth: 0, // their names alone would be a page
  tryItOutEnabled: true,
  displayRequestDuration: true,
  validatorUrl: null, // it would send the document to another host
});
