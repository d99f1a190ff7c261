// What every client asks.

import { z } from 'zod';

export const QUESTION = 'What is the weather in Paris?';
export const PLACE = z.object({ city: z.string() });
export const TOOL = {
  name: 'get_weather',
  description: 'Tells the weather of a city.',
  schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false },
};
